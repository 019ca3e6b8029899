# The model, its training step and the workers that run it.
balancemoe_library(
  NAME train
  HEADERS
    adam.h
    calibrate_job.h
    gradient_bucket.h
    job_checkpoints.h
    moe_gpt.h
    paced_agent.h
    routers.h
    state_digest.h
    train_job.h
    trainer.h
    worker_device.h
  SOURCES
    adam.cc
    calibrate_job.cc
    gradient_bucket.cc
    job_checkpoints.cc
    moe_gpt.cc
    paced_agent.cc
    routers.cc
    state_digest.cc
    train_job.cc
    trainer.cc
    worker_device.cc
  PUBLIC_DEPS balancemoe::checkpoint balancemoe::moe balancemoe::train_run
  TORCH)

balancemoe_library(
  NAME loopback_job
  HEADERS testing/loopback_job.h
  SOURCES testing/loopback_job.cc
  PUBLIC_DEPS balancemoe::train
  PRIVATE_DEPS balancemoe::transport_loopback
  TORCH)

balancemoe_test(
  device_training_test.cc
  DEPS balancemoe::loopback_job balancemoe::device_testing
       balancemoe::streamed_testing balancemoe::test_fixtures
  LABEL integration
  TIMEOUT 300
  TORCH)

foreach(name job_checkpoints loss_curve trainer)
  balancemoe_test(
    ${name}_test.cc
    DEPS balancemoe::loopback_job balancemoe::test_fixtures
    LABEL integration
    TIMEOUT 300
    TORCH)
endforeach()
