#ifndef BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_KERNELS_H_
#define BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_KERNELS_H_

namespace balancemoe::worker {

// Gives Torch the operators of simulated devices. Once.
void RegisterSimulatedKernels();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_EXPERT_TESTING_SIMULATED_KERNELS_H_
