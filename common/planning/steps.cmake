# What happens between steps: moves, and plans made ahead; and how experts travel.
set(STEP_HEADERS
    ahead_past.h
    expert_route.h
    job_placement.h
    moves_as_lends.h
    planning_cost.h
    step_plan.h)
set(STEP_SOURCES
    ahead_past.cc
    expert_route.cc
    job_placement.cc
    moves_as_lends.cc
    planning_cost.cc
    step_plan.cc)
