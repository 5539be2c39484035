"""The dialect's tables walked path by path, its sample pairs, and what of both is not carried and why."""
