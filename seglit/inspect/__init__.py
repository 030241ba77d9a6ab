"""A folder of images and masks, understood before a step is trained."""
