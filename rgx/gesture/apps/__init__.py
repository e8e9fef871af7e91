"""What is done with the method besides sweeping: each app is one command."""
