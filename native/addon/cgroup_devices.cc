/**
 * The device controller of cgroup v2: a BPF program that is asked at every open and mknod of a device (linux/bpf.h,
 * BPF_PROG_TYPE_CGROUP_DEVICE). It lives as long as its group; nothing has to be kept or taken away by us.
 */
#include "cgroup_devices.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "convert.h"
#include "handle.h"
#include "worker.h"

namespace keelson {
namespace {

struct Rule {
  int32_t type;  ///< BPF_DEVCG_DEV_*; 0: both
  int32_t access;
  std::optional<int64_t> major, minor;
};

Rule ruleOf(Napi::Value value) {
  const auto object = value.As<Napi::Object>();
  const std::string type = stringOf(object, "type");
  Rule rule{type == "b" ? BPF_DEVCG_DEV_BLOCK : type == "c" ? BPF_DEVCG_DEV_CHAR : 0, 0, numberIf(object, "major"), numberIf(object, "minor")};
  for (const char letter : stringOf(object, "access")) {
    rule.access |= letter == 'r' ? BPF_DEVCG_ACC_READ : letter == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
  }
  return rule;
}

enum Register : uint8_t { Result, Context, Type, Access, Major, Minor, Scratch };

bpf_insn instruction(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value) {
  bpf_insn insn{};
  insn.code = code;
  insn.dst_reg = to & 0xf;
  insn.src_reg = from & 0xf;
  insn.off = offset;
  insn.imm = value;
  return insn;
}

bpf_insn load(uint8_t to, size_t offset) {
  return instruction(BPF_LDX | BPF_MEM | BPF_W, to, Context, static_cast<int16_t>(offset), 0);
}

/** The tests of one rule: each leads past the rule's end if it fails. */
std::vector<bpf_insn> testsOf(const Rule& rule) {
  std::vector<bpf_insn> tests;
  const auto differs = [&](uint8_t what, int64_t from) {
    tests.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, what, 0, 0, static_cast<int32_t>(from)));
  };
  if (rule.type != 0) differs(Type, rule.type);
  if (rule.major) differs(Major, *rule.major);
  if (rule.minor) differs(Minor, *rule.minor);
  tests.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, Scratch, Access, 0, 0));
  tests.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, Scratch, 0, 0, ~rule.access));
  differs(Scratch, 0);
  return tests;
}

/** Allowed is what one rule allows whole. */
std::vector<bpf_insn> programOf(const std::vector<Rule>& rules) {
  std::vector<bpf_insn> program{
      load(Type, offsetof(bpf_cgroup_dev_ctx, access_type)),
      instruction(BPF_ALU64 | BPF_MOV | BPF_X, Access, Type, 0, 0),
      instruction(BPF_ALU64 | BPF_RSH | BPF_K, Access, 0, 0, 16),
      instruction(BPF_ALU64 | BPF_AND | BPF_K, Type, 0, 0, 0xffff),
      load(Major, offsetof(bpf_cgroup_dev_ctx, major)),
      load(Minor, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  const bpf_insn leave = instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
  const auto answer = [&](int32_t allowed) {
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, Result, 0, 0, allowed));
    program.push_back(leave);
  };
  for (const auto& rule : rules) {
    auto tests = testsOf(rule);
    for (size_t i = 0; i < tests.size(); i++) {
      const bool isJump = BPF_CLASS(tests[i].code) == BPF_JMP;
      if (isJump) tests[i].off = static_cast<int16_t>(tests.size() - i - 1 + 2);
    }
    program.insert(program.end(), tests.begin(), tests.end());
    answer(1);
  }
  answer(0);
  return program;
}

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

void restrictDevices(const std::string& path, const std::vector<Rule>& rules) {
  const auto program = programOf(rules);
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<uint64_t>(program.data());
  load.insn_cnt = static_cast<uint32_t>(program.size());
  load.license = reinterpret_cast<uint64_t>("GPL");
  const UniqueFd loaded(bpf(BPF_PROG_LOAD, load));
  if (!loaded) fail("bpf(BPF_PROG_LOAD)", path);
  const UniqueFd group(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group) fail("open", path);
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(group.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (bpf(BPF_PROG_ATTACH, attach) != 0) fail("bpf(BPF_PROG_ATTACH)", path);
}

}  // namespace

Napi::Value cgroupDevices(const Napi::CallbackInfo& info) {
  return runOnPool(info.Env(), [path = toString(info[0]), rules = listOf(info[1], ruleOf)] { restrictDevices(path, rules); });
}

}  // namespace keelson
