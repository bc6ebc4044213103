"""One file per transform: a signal becomes another signal of the same kind.

What transforms of events have in common:

- The file is the step: `crop.py` is the step "crop" of a recipe.
- Events that leave are counted in the tally by reason, events that are made are counted under "added: ...".
- Pixels are rounded to the nearest one; times stay whole microseconds in order, equal ones in the order they had.
- A transform that has nothing to do gives back the very events it was given, or shares their columns.
- Random ones draw uniform numbers and integers from `rng` only, in the order that each documents: NumPy keeps the
  bits of a generator, but may change how it makes other distributions of them.
"""
