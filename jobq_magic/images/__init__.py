"""Images: from a bundle and a recipe to a digest that a place can pull.

An image is assembled, not built: a base, and on it layers that are made here, deterministic to the byte. What a layer
is told apart by is a key over its contents, known before it is made, so that what is there already is neither made nor
sent again. `ensure` is the way; a `Destination` is where the image goes: a registry, or an engine of this machine.
"""
