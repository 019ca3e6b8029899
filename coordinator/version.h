#ifndef BALANCEMOE_COORDINATOR_VERSION_H_
#define BALANCEMOE_COORDINATOR_VERSION_H_

namespace balancemoe::coordinator {

// "0.1.0"
const char* Version();

}  // namespace balancemoe::coordinator

#endif  // BALANCEMOE_COORDINATOR_VERSION_H_
