# What `total` counted, in one line; a file of the bundle, found by its name alone.
echo "text=$orders orders from $city, $amount in all" >> "$ORCHESTRATOR_OUTPUT"
