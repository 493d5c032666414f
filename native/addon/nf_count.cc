/** Whether a table of nftables is still as it was left: the number of the ruleset's generation, and how much is in the table. */
#include <linux/netfilter/nf_tables.h>

#include <cstring>

#include "convert.h"
#include "nfnetlink.h"
#include "worker.h"

namespace keelson {
namespace {

struct Count {
  int64_t rules = 0;  ///< -1: no such table
  std::vector<int64_t> elements;
};

uint32_t generation() {
  Batch batch;
  batch.begin(nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN), 0, nfHeader(AF_UNSPEC), "NFT_MSG_GETGEN", "nftables");
  uint32_t found = 0;
  netfilterSocket().exchange(
      batch, [&](size_t, const nlmsghdr* answer) { found = ntohl(attributesOf<nfgenmsg>(answer).value<uint32_t>(NFTA_GEN_ID, 0)); });
  return found;
}

/** How many attributes a nested list holds. */
int64_t lengthOf(std::span<const uint8_t> list) {
  int64_t count = 0;
  for (size_t at = 0; at + NLA_HDRLEN <= list.size(); count++) {
    nlattr attribute;
    std::memcpy(&attribute, list.data() + at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN) break;
    at += NLA_ALIGN(attribute.nla_len);
  }
  return count;
}

int64_t countElements(uint8_t family, const std::string& table, const std::string& set) {
  Batch batch;
  batch.begin(nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM), NLM_F_DUMP, nfHeader(family), "NFT_MSG_GETSETELEM",
              "nft set " + table + " " + set);
  batch.put(NFTA_SET_ELEM_LIST_TABLE, table);
  batch.put(NFTA_SET_ELEM_LIST_SET, set);
  int64_t count = 0;
  netfilterSocket().dump(
      batch, [&] { count = 0; },
      [&](const nlmsghdr* answer) { count += lengthOf(attributesOf<nfgenmsg>(answer).get(NFTA_SET_ELEM_LIST_ELEMENTS)); });
  return count;
}

int64_t countRules(uint8_t family, const std::string& table) {
  Batch batch;
  batch.begin(nfType(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE), NLM_F_DUMP, nfHeader(family), "NFT_MSG_GETRULE",
              "nft table " + table);
  batch.put(NFTA_RULE_TABLE, table);
  int64_t count = 0;
  netfilterSocket().dump(batch, [&] { count = 0; }, [&](const nlmsghdr*) { count++; });
  return count;
}

Count countAll(uint8_t family, const std::string& table, const std::vector<std::string>& sets) {
  try {
    Count count{countRules(family, table), {}};
    for (const auto& set : sets) count.elements.push_back(countElements(family, table, set));
    return count;
  } catch (const KernelFailure& failure) {
    if (failure.error != ENOENT) throw;
    return {-1, std::vector<int64_t>(sets.size(), -1)};
  }
}

}  // namespace

/** () → number */
Napi::Value nftGeneration(const Napi::CallbackInfo& info) {
  return runOnPool(
      info.Env(), generation,
      [](Napi::Env env, uint32_t& found) -> Napi::Value { return Napi::Number::New(env, found); });
}

/** (family: number, table: string, sets: string[]) → { rules, elements: number[] } */
Napi::Value nftCount(const Napi::CallbackInfo& info) {
  const auto family = static_cast<uint8_t>(info[0].As<Napi::Number>().Uint32Value());
  return runOnPool(
      info.Env(),
      [family, table = toString(info[1]), sets = listOf(info[2], toString)] { return countAll(family, table, sets); },
      [](Napi::Env env, Count& count) -> Napi::Value {
        auto object = Napi::Object::New(env);
        auto elements = Napi::Array::New(env, count.elements.size());
        for (uint32_t i = 0; i < count.elements.size(); i++) elements[i] = static_cast<double>(count.elements[i]);
        object.Set("rules", static_cast<double>(count.rules));
        object.Set("elements", elements);
        return object;
      });
}

}  // namespace keelson
