"""Contract suites for plugin authors: one for each kind of part.

A suite is a class of tests. Subclass it in a test file of yours, under a name that starts with ``Test``, and say
how to make the part:

    from stackc.testing.coders import CoderContract

    class TestMyCoder(CoderContract):
        def make(self):
            return MyCoder()
"""
