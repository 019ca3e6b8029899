# The model, its training step and the workers that run it.
balancemoe_library(
  NAME train
  HEADERS
    adam.h
    calibrate_job.h
    gradient_bucket.h
    moe_gpt.h
    paced_agent.h
    routers.h
    state_digest.h
    train_job.h
    trainer.h
  SOURCES
    adam.cc
    calibrate_job.cc
    gradient_bucket.cc
    moe_gpt.cc
    paced_agent.cc
    routers.cc
    state_digest.cc
    train_job.cc
    trainer.cc
  PUBLIC_DEPS balancemoe::moe balancemoe::train_run
  TORCH)

balancemoe_test(
  trainer_test.cc
  DEPS balancemoe::train balancemoe::transport_loopback
       balancemoe::test_fixtures
  LABEL integration
  TIMEOUT 300
  TORCH)
