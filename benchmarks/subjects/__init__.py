"""What is measured: factories that give a function doing a number of steps and returning the units done."""
