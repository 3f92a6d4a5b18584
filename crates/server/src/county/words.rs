//! Words: how are people and places of the invented county called?

use registry::Gender;

/// Given names of one generation.
pub(crate) struct GivenNames {
    pub(crate) female: &'static [&'static str],
    pub(crate) male: &'static [&'static str],
}

/// Surnames, the commonest first.
pub(crate) const SURNAMES: [&str; 48] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何",
    "郭", "马", "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓",
    "许", "傅", "沈", "曾", "彭", "吕", "苏", "卢", "蒋", "蔡", "贾", "丁", "魏", "薛",
];

/// Names that were given before 1966.
pub(crate) const OLDER: GivenNames = GivenNames {
    female: &[
        "桂英", "秀英", "玉兰", "桂兰", "秀兰", "玉珍", "凤英", "玉英", "淑珍", "桂芳", "兰英", "秀珍",
        "素珍", "玉梅", "翠英", "桂珍", "月英", "金凤", "春兰", "素芳", "美英", "凤兰", "惠兰", "玉芳",
        "秀芳", "巧云", "腊梅", "荷花",
    ],
    male: &[
        "建国", "德明", "国强", "志明", "玉山", "长福", "永福", "福生", "宝山", "正华", "家福", "金生",
        "德胜", "文彬", "永年", "富贵", "世荣", "春生", "银山", "传宝", "学文", "大林", "有才", "德海",
        "树林", "炳坤", "明德", "守义",
    ],
};

/// Names that were given after 1966.
pub(crate) const YOUNGER: GivenNames = GivenNames {
    female: &[
        "敏", "静", "丽", "燕", "芳", "娟", "霞", "艳", "玲", "红梅", "晓燕", "丽娟", "海燕", "文静", "雪梅",
        "婷婷", "丹丹", "莉莉", "小红", "春燕", "慧敏", "佳佳", "思雨", "梦婷",
    ],
    male: &[
        "伟", "强", "磊", "军", "勇", "杰", "涛", "超", "明", "刚", "平", "辉", "鹏", "建军", "志强", "海涛",
        "俊杰", "文斌", "晓东", "国庆", "浩然", "宇航", "子豪", "家乐",
    ],
};

/// Towns, and how many kilometres north and east of the county's middle they lie.
pub(crate) const TOWNS: [(&str, f64, f64); 10] = [
    ("示范", 0.0, 0.0),
    ("安和", 10.0, -12.0),
    ("康宁", 11.0, 1.0),
    ("长乐", 9.0, 14.0),
    ("福临", 1.5, -16.0),
    ("清河", -1.0, 9.0),
    ("柳塘", 2.0, 17.0),
    ("石桥", -10.0, -11.0),
    ("东湖", -11.0, 2.0),
    ("永宁", -9.5, 14.0),
];

/// Villages, without the 村 at the end; there are at least as many as the county needs.
pub(crate) const VILLAGES: [&str; 52] = [
    "王庄", "李集", "张圩", "刘岗", "陈桥", "杨湾", "赵营", "黄泥", "周塘", "吴庄", "徐楼", "孙铺", "胡埂",
    "朱坝", "高庙", "林场", "何郢", "郭店", "马厂", "罗墩", "梁庄", "宋桥", "郑集", "谢圩", "韩岗", "唐营",
    "冯井", "于湾", "董郢", "柳湾", "桥头", "河口", "东圩", "西圩", "南庄", "北庄", "新民", "新华", "红星",
    "前进", "光明", "和平", "胜利", "团结", "大塘", "双塘", "三河", "五里", "十里", "槐树", "枣林", "桃园",
];

/// What contacts are to an elder.
pub(crate) const RELATIONS: [(&str, Gender); 8] = [
    ("女儿", Gender::Female),
    ("儿子", Gender::Male),
    ("儿媳", Gender::Female),
    ("女婿", Gender::Male),
    ("孙女", Gender::Female),
    ("孙子", Gender::Male),
    ("邻居", Gender::Female),
    ("邻居", Gender::Male),
];

/// What a helper must know about their health.
pub(crate) const MEDICAL_NOTES: [&str; 12] = [
    "高血压，按时服药",
    "糖尿病，注射胰岛素",
    "冠心病，随身带硝酸甘油",
    "脑梗后遗症，左侧肢体无力",
    "慢阻肺，家中有制氧机",
    "对青霉素过敏",
    "听力差，请大声敲门",
    "白内障，视物不清",
    "膝关节置换，行走用助行器",
    "轻度失智，容易走失",
    "骨质疏松，曾髋部骨折",
    "心脏起搏器",
];

/// How to get in.
pub(crate) const ENTRY_NOTES: [&str; 6] = [
    "钥匙在东边邻居家",
    "院门不锁，狗拴着",
    "密码锁，密码问联系人",
    "后门常开",
    "单元门按 101 呼叫",
    "钥匙在村部",
];
