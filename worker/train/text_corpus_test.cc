#include "worker/train/text_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/fixtures/status_matchers.h"

namespace balancemoe::worker {
namespace {

using ::testing::HasSubstr;

std::string WriteFile(const std::string& name, const std::string& text) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(TextCorpusTest, JoinsFilesInTheGivenOrder) {
  const std::string b = WriteFile("text_corpus_b", "bbb");
  const std::string a = WriteFile("text_corpus_a", "aa");

  const auto corpus = TextCorpus::Load({b, a}, 4);

  ASSERT_THAT(corpus, IsOk());
  EXPECT_EQ(corpus->Sequence(/*seed=*/1, /*step=*/0, /*index=*/0), "bbbaa");
}

TEST(TextCorpusTest, SequenceDependsOnSeedStepAndIndexAlone) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += static_cast<char>('a' + i % 23);
  const TextCorpus corpus(text, 16);

  EXPECT_EQ(corpus.Sequence(1, 2, 3), corpus.Sequence(1, 2, 3));
  EXPECT_NE(corpus.Sequence(1, 2, 3), corpus.Sequence(2, 2, 3));
  EXPECT_NE(corpus.Sequence(1, 2, 3), corpus.Sequence(1, 3, 3));
  EXPECT_NE(corpus.Sequence(1, 2, 3), corpus.Sequence(1, 2, 4));
  EXPECT_EQ(corpus.Sequence(1, 2, 3).size(), 17u);
}

TEST(TextCorpusTest, TooShortATextNamesTheFlagAndTheLeast) {
  const std::string path = WriteFile("text_corpus_short", "abc");

  EXPECT_THAT(TextCorpus::Load({path}, 3),
              IsStatus(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--text: 3 bytes are too few for --seq 3; at "
                                 "least 4")));
}

TEST(TextCorpusTest, EmptyFileNamesTheFile) {
  const std::string path = WriteFile("text_corpus_empty", "");

  EXPECT_THAT(TextCorpus::Load({path}, 3),
              IsStatus(absl::StatusCode::kInvalidArgument, HasSubstr(path)));
}

}  // namespace
}  // namespace balancemoe::worker
