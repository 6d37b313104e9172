"""scikit-learn, XGBoost, Matplotlib and Pillow."""

# ruff: noqa: E501  # a case is read as one line

from tests.values.table import Case, Change, Refused, Table

TABLE = Table(
    setup="""
import numpy as np
import matplotlib
import xgboost
from matplotlib.figure import Figure
import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap, Normalize
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KDTree, KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import Bunch

X = np.arange(40.0).reshape(20, 2)
y = np.arange(20) % 2
texts = ["a red fox", "a blue fox", "no fox"]

matplotlib.use("agg")

def squared(table):
    return table ** 2

def cost(truth, guess):
    return float((truth != guess).sum())

class Shift(TransformerMixin, BaseEstimator):
    def __init__(self, by=1):
        self.by = by

    def fit(self, X, y=None):
        self.seen_ = len(X)
        return self

    def transform(self, X):
        return X + self.by

def boosted():
    return xgboost.train({"max_depth": 2, "nthread": 1}, xgboost.DMatrix(X, y), 3)

def drawn():
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], label="line")
    axes.set_title("drawn")
    plt.close(figure)
    return figure

def alone():
    figure = Figure()
    figure.add_subplot().imshow(np.eye(3))
    return figure
""",
    cases=[
        Case("not fitted", "LogisticRegression(C=2)", "v.C == 2 and not hasattr(v, 'coef_')"),
        Case("a regression", "LinearRegression().fit(X, y)", "v.predict(X).shape == (20,) and v.n_features_in_ == 2"),
        Case(
            "a pipeline",
            "make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(X, y)",
            "v.score(X, y) > 0 and v[1].n_samples_seen_ == 20",
        ),
        Case(
            "columns, with a function of the notebook",
            "ColumnTransformer([('sq', FunctionTransformer(squared), [0]), ('one', OneHotEncoder(), [1])]).fit(X)",
            "v.transform(X).shape == (20, 21) and v.named_transformers_['sq'].func is squared",
        ),
        Case(
            "an estimator of the notebook",
            "Shift(by=3).fit(X)",
            "type(v) is Shift and v.transform(X)[0, 0] == 3 and v.seen_ == 20",
        ),
        Case(
            "a search",
            "GridSearchCV(DecisionTreeRegressor(), {'max_depth': [1, 2]}, cv=2).fit(X, y)",
            "v.best_params_['max_depth'] in (1, 2) and len(v.cv_results_['params']) == 2",
        ),
        Case(
            "a search with a score of the notebook",
            "GridSearchCV(LogisticRegression(), {'C': [1]}, scoring=make_scorer(cost, greater_is_better=False), cv=KFold(2)).fit(X, y)",
            "v.best_score_ <= 0",
        ),
        Case(
            "a forest",
            "RandomForestClassifier(5, random_state=0).fit(X, y)",
            "v.predict(X).tolist() == RandomForestClassifier(5, random_state=0).fit(X, y).predict(X).tolist()",
        ),
        Case(
            "a forest of outliers",
            "IsolationForest(n_estimators=5, random_state=0).fit(X)",
            "v.predict(X).shape == (20,)",
        ),
        Case(
            "boosted trees",
            "GradientBoostingClassifier(n_estimators=3, random_state=0).fit(X, y)",
            "len(v.estimators_) == 3 and v.predict(X[:1]).shape == (1,)",
        ),
        Case("neighbours", "KNeighborsClassifier(1).fit(X, y)", "v.predict(X).tolist() == y.tolist()"),
        Case("a tree of points", "KDTree(X)", "v.query(X[:1])[1][0, 0] == 0"),
        Case("support vectors", "SVC(probability=False).fit(X, y)", "v.support_vectors_.shape[1] == 2"),
        Case(
            "a network",
            "MLPClassifier((3,), max_iter=2, random_state=0, early_stopping=False, tol=1e9, n_iter_no_change=1, solver='sgd').fit(X / 40, y)",
            "v.coefs_[0].shape == (2, 3)",
        ),
        Case("a process", "GaussianProcessRegressor().fit(X, y)", "v.predict(X[:1]).shape == (1,)"),
        Case("clusters", "KMeans(2, n_init=1, random_state=0).fit(X)", "len(set(v.labels_.tolist())) == 2"),
        Case("components", "PCA(1).fit(X)", "v.components_.shape == (1, 2)"),
        Case("words", "TfidfVectorizer().fit(texts)", "sorted(v.vocabulary_) == ['blue', 'fox', 'no', 'red']"),
        Case(
            "words, with a function of the notebook",
            "TfidfVectorizer(tokenizer=str.split, preprocessor=lambda t: t.upper(), token_pattern=None).fit(texts)",
            "'FOX' in v.vocabulary_",
        ),
        Case("a bunch", "Bunch(data=X, names=['a'])", "v.data.shape == (20, 2) and v.names == ['a']"),
        Case(
            "model and data that share",
            "{'X': X, 'model': LinearRegression().fit(X, y), 'again': X}",
            "v['X'] is v['again']",
        ),
        Case(
            "an XGBoost classifier",
            "xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, y)",
            "v.predict(X).tolist() == xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, y).predict(X).tolist()",
        ),
        Case(
            "an XGBoost model that is not fitted",
            "xgboost.XGBRegressor(max_depth=2)",
            "v.get_params()['max_depth'] == 2",
        ),
        Case("a booster", "boosted()", "v.num_boosted_rounds() == 3 and v.predict(xgboost.DMatrix(X)).shape == (20,)"),
        Case("a figure", "drawn()", "v.axes[0].get_title() == 'drawn' and v.axes[0].lines[0].get_label() == 'line'"),
        Case("a figure without pyplot", "alone()", "len(v.axes[0].images) == 1"),
        Case("axes", "drawn().axes[0]", "v.get_title() == 'drawn' and v.figure.axes[0] is v"),
        Case("a line", "drawn().axes[0].lines[0]", "v.get_ydata()[-1] == 3"),
        Case(
            "colours",
            "[plt.get_cmap('viridis'), ListedColormap(['red', 'blue']), Normalize(0, 5)]",
            "v[0].N == 256 and v[1](0)[0] == 1 and v[2](5) == 1",
        ),
        Case("an image", "Image.new('RGB', (4, 3), 'red')", "v.size == (4, 3) and v.getpixel((0, 0)) == (255, 0, 0)"),
        Case("an image with a palette", "Image.new('P', (2, 2))", "v.mode == 'P'"),
    ],
    refused=[
        Refused("a matrix of XGBoost", "xgboost.DMatrix(X, y)", "a matrix of XGBoost"),
        Refused("a matrix in a container", "{'train': xgboost.DMatrix(X, y)}", "v['train'] is a matrix of XGBoost"),
        Refused("a model with a generator", "Shift(by=(n for n in range(3)))", "v.by is a generator"),
        Refused(
            "a pipeline with a lock",
            "make_pipeline(StandardScaler(), Shift(by=__import__('threading').Lock()))",
            "is a lock",
        ),
    ],
    changes=[
        Change("a fit", "LinearRegression()", "v.fit(X, y)", "v.coef_.shape == (2,)"),
        Change("another fit", "LinearRegression().fit(X, y)", "v.fit(X, -y)", "(v.predict(X) <= 0.1).all()"),
        Change("a step of a fit", "SGDClassifier(random_state=0).fit(X, y)", "v.partial_fit(X, y)", "v.t_ > 141"),
        Change(
            "a first step of a fit",
            "GaussianNB()",
            "v.partial_fit(X, y, classes=[0, 1])",
            "v.class_count_.tolist() == [10, 10]",
        ),
        Change("a scaler", "StandardScaler()", "v.fit(X)", "v.n_samples_seen_ == 20"),
        Change(
            "clusters",
            "MiniBatchKMeans(2, n_init=1, random_state=0)",
            "v.partial_fit(X)",
            "v.cluster_centers_.shape == (2, 2)",
        ),
        Change(
            "a pipeline",
            "make_pipeline(StandardScaler(), LogisticRegression())",
            "v.fit(X, y)",
            "v[-1].coef_.shape == (1, 2)",
        ),
        Change("a parameter", "LogisticRegression()", "v.set_params(C=9)", "v.C == 9"),
        Change("an estimator of the notebook", "Shift()", "v.fit(X)", "v.seen_ == 20"),
        Change("a booster goes on", "boosted()", "v.update(xgboost.DMatrix(X, y), 3)", "v.num_boosted_rounds() == 4"),
        Change("an attribute of a booster", "boosted()", "v.set_attr(note='n')", "v.attr('note') == 'n'"),
        Change(
            "an XGBoost classifier",
            "xgboost.XGBClassifier(n_estimators=2, n_jobs=1)",
            "v.fit(X, y)",
            "v.get_booster().num_boosted_rounds() == 2",
        ),
        Change("a plot in a figure", "alone()", "v.axes[0].plot([1, 2])", "len(v.axes[0].lines) == 1"),
        Change("axes in a figure", "Figure()", "v.add_subplot(2, 1, 1)", "len(v.axes) == 1"),
        Change("a title", "drawn()", "v.suptitle('t')", "v.get_suptitle() == 't'"),
        Change(
            "a dot in an image",
            "Image.new('RGB', (4, 3))",
            "v.putpixel((1, 1), (9, 9, 9))",
            "v.getpixel((1, 1)) == (9, 9, 9)",
        ),
        Change("an image made smaller", "Image.new('RGB', (40, 30))", "v.thumbnail((4, 3))", "v.size == (4, 3)"),
    ],
)
