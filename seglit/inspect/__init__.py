"""`seglit inspect`: the layout, mask coding and problems of a folder of images and masks."""
