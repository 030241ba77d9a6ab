"""`seglit preview`: what augmentation makes of the training images."""
