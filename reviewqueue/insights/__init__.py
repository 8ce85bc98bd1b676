"""What the reviewing means: weights, thresholds, rates and their intervals, drift, fairness, cost."""
