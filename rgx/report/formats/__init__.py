"""What tables are written in: one class a file, registered on the axis `format`."""
