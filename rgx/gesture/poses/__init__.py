"""Keypoint files and extractors to COCO-WholeBody keypoints."""
