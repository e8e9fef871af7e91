"""What batch systems are given, so that a sweep runs on their nodes by the engine that runs it here."""
