#include "cpu/isa.hpp"

#include <atomic>
#include <stdexcept>

namespace zoom::cpu {
namespace {

constexpr Isa kIsas[] = {
#if defined(ZOOM_ENGINE_X86)
    {"avx512bf16", &kAvx512, &kAvx512Float, &kAvx512Pairs},
    {"avx512", &kAvx512, &kAvx512Float, &kAvx512Widened},
    {"avx2", &kAvx2, &kAvx2Float, &kAvx2Widened},
#endif
    {"portable", &kPortable, &kPortableFloat, &kPortableWidened},
};

bool runs([[maybe_unused]] const std::string& name) {
#if defined(ZOOM_ENGINE_X86)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("fma");
  const bool avx512 = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (name == "avx512bf16") return avx512 && __builtin_cpu_supports("avx512bf16");
  if (name == "avx512") return avx512;
  if (name == "avx2") return fma && __builtin_cpu_supports("avx2");
#endif
  return true;
}

std::vector<const Isa*> runnable() {
  std::vector<const Isa*> found;
  for (const Isa& isa : kIsas) {
    if (runs(isa.name)) found.push_back(&isa);
  }
  return found;
}

std::atomic<const Isa*>& chosen() {
  static std::atomic<const Isa*> isa{runnable().front()};
  return isa;
}

}  // namespace

const Isa& current() {
  return *chosen().load();
}

std::vector<std::string> supported() {
  std::vector<std::string> names;
  for (const Isa* isa : runnable()) names.emplace_back(isa->name);
  return names;
}

std::string selected() {
  return current().name;
}

void select(const std::string& name) {
  for (const Isa* isa : runnable()) {
    if (name == isa->name) {
      chosen() = isa;
      return;
    }
  }
  throw std::invalid_argument("this machine cannot run the instruction set '" + name + "'");
}

}  // namespace zoom::cpu
