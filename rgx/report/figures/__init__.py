"""The kinds of figures about any method; a method registers its own on the axis `figure`."""
