"""Pictures to video files and back: mp4 with speech, comparisons, strips of frames."""
