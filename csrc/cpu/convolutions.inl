// The table of an instruction set's convolutions, from its engine and the type of its images.
#pragma once

#include "cpu/backward.inl"
#include "cpu/forward.inl"

namespace zoom::cpu {
namespace {

template <class Engine, class T>
constexpr Convolutions make_convolutions() {
  return {Engine::kPixels,   Engine::kTile,      Engine::kWidest,    Engine::kUnitChannels,
          Engine::kWinograd, forward<Engine, T>, backward<Engine, T>};
}

}  // namespace
}  // namespace zoom::cpu
