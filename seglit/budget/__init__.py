"""`fit --plan` and `fit --minutes`: what a training costs, measured by a trial of its first steps."""
