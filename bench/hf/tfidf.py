"""TF-IDF and logistic regression on the reviews, as scikit-learn does them by default: `tfidf.py` prints accuracies."""

from common import read_rows
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

train, test = read_rows()
for grams in [(1, 1), (1, 2)]:
    vectors = TfidfVectorizer(ngram_range=grams)
    model = LogisticRegression(max_iter=1000).fit(vectors.fit_transform([r["text"] for r in train]), [r["label"] for r in train])
    accuracy = model.score(vectors.transform([r["text"] for r in test]), [r["label"] for r in test])
    print(f"words in {grams[0]}- to {grams[1]}-grams: {accuracy:.4f}")
