"""OTP-style supervision for trio: ordered starts and stops, restarts within limits, nothing left behind."""
