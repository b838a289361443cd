# zoom_engine._cuda, if there is an nvcc on the PATH or in the environment's CUDACXX. The runtime is linked
# statically, so that the extension depends on the driver alone.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100) # and PTX of the last, for newer ones
endif()
include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  enable_language(CUDA)
endif()
if(NOT CMAKE_CUDA_COMPILER OR CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.8)
  if(NOT ZOOM_ENGINE_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "ZOOM_ENGINE_CUDA=${ZOOM_ENGINE_CUDA} needs nvcc 12.8 or newer; set CUDACXX to its path")
  endif()
  message(STATUS "zoom-engine: no nvcc 12.8 or newer, so no CUDA operators")
  return()
endif()

pybind11_add_module(_cuda NO_EXTRAS csrc/cuda/bindings_cuda.cpp csrc/cuda/launch.cu csrc/view.cpp)
target_include_directories(_cuda PRIVATE csrc)
set_target_properties(
  _cuda PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_RUNTIME_LIBRARY Static
                   CUDA_VISIBILITY_PRESET hidden)
target_compile_options(
  _cuda PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-O3> $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas>)
if(ZOOM_ENGINE_WERROR)
  target_compile_options(
    _cuda PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
                  $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings;-Xcompiler=-Werror;-Xptxas=-v>)
endif()
install(TARGETS _cuda DESTINATION zoom_engine)
