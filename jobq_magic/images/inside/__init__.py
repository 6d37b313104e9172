"""What is put into images as it is: modules of the standard library alone, that nothing here imports."""
