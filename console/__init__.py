"""What people see: the HTTP API and every page, in Chinese and English."""
