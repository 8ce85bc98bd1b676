"""Other systems' shapes at our door: Amazon A2I's human loops, Label Studio's tasks."""
