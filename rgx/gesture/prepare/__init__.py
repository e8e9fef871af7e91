"""Raw videos to a corpus of clips: streams, shots, speakers, crops, clips, a page to judge them by."""
