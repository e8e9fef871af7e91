"""The one training loop; knows no stage."""
