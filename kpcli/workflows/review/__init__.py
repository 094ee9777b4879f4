"""kpcli review and suggest: the faces that most deserve a look, and a page to correct them."""
