if(BALANCEMOE_WITH_TORCH AND BALANCEMOE_WITH_GLOO)
  balancemoe_test(
    train_processes_test.cc
    DEPS balancemoe::coordinator_process balancemoe::train_run
         balancemoe::test_fixtures
    LABEL integration
    TIMEOUT 900)
  add_dependencies(train_processes_test balancemoe-train)

  balancemoe_test(
    train_restart_test.cc
    DEPS balancemoe::agent_job balancemoe::coordinator_process
         balancemoe::train balancemoe::test_fixtures balancemoe::transport_gloo
    LABEL integration
    TORCH)

  if(BALANCEMOE_BUILDS_NCCL)
    balancemoe_test(
      train_gpu_test.cc
      DEPS balancemoe::train_run balancemoe::worker_cuda
      LABEL gpu
      TIMEOUT 1200)
    add_dependencies(train_gpu_test balancemoe-train)
  endif()
endif()
