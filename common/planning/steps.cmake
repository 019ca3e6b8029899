# What happens between steps: moves, and plans made ahead.
set(STEP_HEADERS
    ahead_past.h
    job_placement.h
    moves_as_lends.h
    planning_cost.h
    step_plan.h)
set(STEP_SOURCES
    ahead_past.cc
    job_placement.cc
    moves_as_lends.cc
    planning_cost.cc
    step_plan.cc)
