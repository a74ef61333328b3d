"""Wire formats of model APIs, without any I/O: requests are built and bytes decoded, nothing is sent."""
