"""The teeth of the tests that show the semantics: mutants of the product, and who notices them."""
