"""The mirror: one file per resource; how they are folded, stored and read stands once, in `mirror.engine`."""
