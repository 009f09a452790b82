"""Running the suites against one store, from outside its process."""
