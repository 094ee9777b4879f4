"""kpcli live: a camera, a video or a stream with the faces drawn, as they come."""
