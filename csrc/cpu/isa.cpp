#include "cpu/isa.hpp"

#if defined(ZOOM_ENGINE_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <stdexcept>

namespace zoom::cpu {
namespace {

constexpr Isa kIsas[] = {
#if defined(ZOOM_ENGINE_AMX)
    {"amx", &kAvx512Upsampling, &kAvx512Float, &kAmx},
#endif
#if defined(ZOOM_ENGINE_X86)
    {"avx512bf16", &kAvx512Upsampling, &kAvx512Float, &kAvx512Pairs},
    {"avx512", &kAvx512Upsampling, &kAvx512Float, &kAvx512Widened},
    {"avx2", &kAvx2Upsampling, &kAvx2Float, &kAvx2Widened},
#endif
    {"portable", &kPortableUpsampling, &kPortableFloat, &kPortableWidened},
};

#if defined(ZOOM_ENGINE_AMX)
// Whether the processor has AMX with bfloat16 and the system lets this process use it.
bool amx_permitted() {
#if defined(ZOOM_ENGINE_EMULATE_AMX)
  return true;
#else
  unsigned a, b, c, d;
  constexpr unsigned kBfloat16 = 1u << 22, kTile = 1u << 24;  // CPUID 7, EDX
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kBfloat16) == 0 || (d & kTile) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#endif
}
#endif

bool runs([[maybe_unused]] const std::string& name) {
#if defined(ZOOM_ENGINE_X86)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("fma");
  const bool avx512 = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (name == "avx512bf16") return avx512 && __builtin_cpu_supports("avx512bf16");
#if defined(ZOOM_ENGINE_AMX)
  if (name == "amx") return avx512 && __builtin_cpu_supports("avx512bf16") && amx_permitted();
#endif
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
