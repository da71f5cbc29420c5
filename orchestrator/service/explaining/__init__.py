"""Why a run, or one of its tasks, does not go on: facts are gathered once, and pure functions name the causes."""
