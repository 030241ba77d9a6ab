"""`seglit demo`: a page that predicts the pictures dropped on it, in the browser alone or on this machine."""
