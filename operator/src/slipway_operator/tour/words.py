"""What the tour says, in English and in Chinese."""

from collections.abc import Mapping

from .texts import Language

WORDS: Mapping[str, tuple[str, str]] = {
    "with": ("with", "有"),
    "without": ("without", "没有"),
    "sent": ("requests", "请求数"),
    "answered": ("answered", "成功应答"),
    "refused": ("failed", "失败"),
    "late": ("given up by the customer", "客户等不及放弃"),
    "partial": ("pages with a missing part", "缺少内容的页面"),
    "placed": ("orders accepted", "已接受的订单"),
    "lost": ("orders lost", "丢失的订单"),
    "doubled": ("orders that nobody wanted", "多出来的订单"),
    "stranded": ("items held for no order", "无主的预留"),
    "untold": ("orders that the logs don't explain", "日志说不清的订单"),
    "reached": ("requests that reached the service", "到达服务的请求"),
    "opened": ("connections opened to the service", "到该服务的新连接"),
    "planted": ("changes planted", "植入的改动"),
    "caught": ("noticed by a check", "被检查发现"),
    "missed": ("unnoticed", "没有发现"),
    "started": ("containers started", "启动的容器"),
    "killed": ("had to be killed after 10 s", "10 秒后只能强制杀死"),
    "as_root": ("ran as root", "以 root 运行"),
    "p50": ("{} p50, ms", "{} p50（毫秒）"),
}

SENTENCES: Mapping[str, tuple[str, str]] = {
    "problem": ("The problem", "问题"),
    "naive": ("The naive version", "幼稚写法"),
    "page": ("More in {}", "详见 {}"),
    "with": ("1/4 with the pattern, {} customers for {} s", "1/4 有这个模式：{} 个客户，{} 秒"),
    "otherwise": ("2/4 nothing is released: now as a beginner does it", "2/4 不发布：接下来换成初学者的做法"),
    "off": ("2/4 taken away by a release of {}", "2/4 通过一次发布从 {} 中拆掉"),
    "without": ("3/4 the same without it", "3/4 没有它，再来一遍"),
    "as before": ("4/4 as it was: there is nothing to roll back", "4/4 恢复原样：没有要回滚的"),
    "on": ("4/4 put back by a rollback", "4/4 通过一次回滚装回去"),
    "copy": (
        "1/4 a copy of the repository, in which nothing is changed: both checks have to be green",
        "1/4 复制仓库，先不做任何改动：两种检查都必须是绿的",
    ),
    "real": ("2/4 the checks of here, for each change of {}", "2/4 逐个植入 {} 处改动，运行这里的检查"),
    "naive checks": ("3/4 the same changes and the naive checks", "3/4 同样的改动，运行幼稚的检查"),
    "removed": ("4/4 the copy is removed", "4/4 删除副本"),
    "red": ("red", "红"),
    "green": ("green", "绿"),
    "on a copy": ("on a copy of the repository, without slipway up", "在仓库的副本上运行，不需要 slipway up"),
    "go": ("Press Enter to begin", "按回车键开始"),
    "holds": ("The pattern made the difference.", "差别来自这个模式。"),
    "image": ("1/4 a container of {} answers, and is stopped", "1/4 {} 的一个容器在应答，然后停止它"),
    "naive image": ("2/4 the naive image is built on it", "2/4 在它之上构建幼稚的镜像"),
    "naive container": ("3/4 the same with the naive image", "3/4 用幼稚的镜像再来一遍"),
    "images removed": ("4/4 containers and the naive image are removed", "4/4 删除容器和幼稚的镜像"),
    "stopped": ("uid {}, exit code {}", "uid {}，退出码 {}"),
    "no docker": (
        "skipped: no Docker engine answers on this machine; docker version says why",
        "跳过：本机没有可用的 Docker 引擎；docker version 会说明原因",
    ),
    "list": ("slipway tour N runs a lesson beside slipway up", "在 slipway up 旁边运行一课：slipway tour N"),
    "by docker": ("by Docker, after make images", "用 Docker 运行，先执行 make images"),
}


def word(name: str, language: Language) -> str:
    """A head or a row of a table."""
    return WORDS[name][language == "zh"]


def said(name: str, language: Language) -> str:
    """A sentence of a lesson; what stands for ``{}`` is put in by who tells it."""
    return SENTENCES[name][language == "zh"]
