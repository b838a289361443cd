"""The variable that is set in the processes which `test_forks` begins: there tests that fork are run."""

FORKS = "ZOOM_ENGINE_TESTS_FORK"
