# SPDX-License-Identifier: Apache-2.0
# Compiler settings and the three kinds of target that the tree is made of.
include(GNUInstallDirs)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

option(IPMIT_WERROR "Treat warnings as errors" ON)
set(IPMIT_SANITIZE "" CACHE STRING "Value for -fsanitize=, or empty")
option(IPMIT_COVERAGE "Build with gcov counters" OFF)
option(IPMIT_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)

find_program(IPMIT_CCACHE ccache)
if(IPMIT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${IPMIT_CCACHE}")
endif()

add_compile_definitions(IPMIT_VERSION="${PROJECT_VERSION}" _GLIBCXX_ASSERTIONS)
add_compile_options(-fno-omit-frame-pointer -fstack-protector-strong)
if(IPMIT_SANITIZE)
  add_compile_options(-fsanitize=${IPMIT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${IPMIT_SANITIZE})
else()
  add_link_options(-Wl,-z,relro,-z,now)
endif()
if(IPMIT_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(IPMIT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

# Include directories of foreign libraries are system directories, so that their warnings stay theirs.
function(ipmit_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla
                         -Wnon-virtual-dtor -Wold-style-cast $<$<BOOL:${IPMIT_WERROR}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
    # At -O3 GCC 12 sees overlaps and overflows in std::string where there are none.
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-stringop-overflow)
  endif()
endfunction()

# ipmit_library(common LIBS …): one static library a folder, of every .cc in it but main.cc. Public
# libraries are those of other folders; PRIVATE_LIBS are foreign ones and do not leak to users.
function(ipmit_library name)
  cmake_parse_arguments(arg "" "" "LIBS;PRIVATE_LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(NOT sources)  # a folder whose issue has not landed yet
    add_library(ipmit_${name} INTERFACE)
    target_link_libraries(ipmit_${name} INTERFACE ${arg_LIBS})
    return()
  endif()
  add_library(ipmit_${name} STATIC ${sources})
  target_include_directories(ipmit_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
  target_link_libraries(ipmit_${name} PUBLIC ${arg_LIBS} Threads::Threads PRIVATE ${arg_PRIVATE_LIBS})
  ipmit_warnings(ipmit_${name})
endfunction()

# ipmit_program(ipmit-milter LIBS …): main.cc of this folder; all else is in the folder's library, so
# that tests can link it.
function(ipmit_program name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/main.cc")
    return()
  endif()
  add_executable(${name} main.cc)
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  ipmit_warnings(${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
