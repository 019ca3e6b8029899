#include "coordinator/version.h"

namespace balancemoe::coordinator {

// The build system gives BALANCEMOE_VERSION to this file alone, so that a new
// version compiles one file anew.
const char* Version() { return BALANCEMOE_VERSION; }

}  // namespace balancemoe::coordinator
