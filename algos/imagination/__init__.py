"""The part the four papers share: dynamics ensembles, rollout policies, start states, traces."""
